"""Other people's weights and configurations, both ways."""
