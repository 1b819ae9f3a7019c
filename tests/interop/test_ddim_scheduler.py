"""Our samplers as a scheduler of diffusers, and encoding with any of its pipelines."""

import pytest
import torch
from helpers.networks import randomised, tiny

from ddim import interop, sampler, schedule
from ddim.interop import diffusers_layout

diffusers = pytest.importorskip("diffusers")
SAMPLERS = [
    ("linear", 0.0, False),
    ("quadratic", 1.0, False),
    ("quadratic-published", "hat", True),
    ([1, 5, 40, 900], 0.5, False),
]


@pytest.fixture(scope="module")
def networks():
    """Our network, and the same one as a UNet2DModel."""
    ours = randomised(tiny())
    theirs = diffusers.UNet2DModel.from_config(diffusers_layout.unet_config(ours.arguments))
    tensors = diffusers_layout.to_tensors(ours.state_dict(), levels=len(ours.up))
    theirs.load_state_dict(tensors)
    return ours, theirs.eval()


def pipeline(unet, **options):
    made = diffusers.DDPMPipeline(unet=unet, scheduler=interop.DDIMScheduler(**options))
    made.set_progress_bar_config(disable=True)
    return made


def same_noise():
    """A generator, and a `randn_like` that draws from it as diffusers does."""
    generator = torch.Generator().manual_seed(3)

    def randn_like(x):
        return torch.randn(x.shape, generator=generator, dtype=x.dtype)

    return generator, randn_like


@pytest.mark.parametrize(("trajectory", "eta", "clip"), SAMPLERS)
def test_a_pipeline_with_it_samples_what_our_sampler_samples(networks, trajectory, eta, clip):
    _, unet = networks
    made = pipeline(unet, trajectory=trajectory, eta=eta, clip_sample=clip)
    S = 4 if isinstance(trajectory, list) else 10
    generator, _ = same_noise()
    images = made(2, generator, num_inference_steps=S, output_type="np").images
    _, randn_like = same_noise()
    tau = schedule.trajectory(1000, S, trajectory)
    x_T = randn_like(torch.empty(2, 1, 8, 8))

    def eps_model(x, t):
        return unet(x, t - 1).sample

    with torch.no_grad():
        arguments = (x_T, schedule.alpha_bar(), tau, eta)
        options = {"randn_like": randn_like, "clip_x0": clip}
        x_0 = sampler.sample(eps_model, *arguments, **options)
    shown = (x_0 / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert torch.equal(shown, torch.from_numpy(images))  # bit for bit
    assert shown.std() > 0.05


@pytest.mark.parametrize(("trajectory", "eta", "clip"), SAMPLERS)
def test_it_is_saved_and_loaded_alone_and_in_a_pipeline(networks, tmp_path, trajectory, eta, clip):
    scheduler = interop.DDIMScheduler(trajectory=trajectory, eta=eta, clip_sample=clip)
    scheduler.save_pretrained(tmp_path / "alone")
    pipeline(networks[1], **scheduler.config).save_pretrained(tmp_path / "whole")
    whole = diffusers.DDPMPipeline.from_pretrained(tmp_path / "whole")
    for loaded in (interop.DDIMScheduler.from_pretrained(tmp_path / "alone"), whole.scheduler):
        assert type(loaded) is interop.DDIMScheduler
        got = (loaded.config.trajectory, loaded.config.eta, loaded.config.clip_sample)
        assert got == (trajectory, eta, clip)


def test_it_takes_the_place_of_a_pipelines_own_scheduler(networks):
    made = diffusers.DDIMPipeline(unet=networks[1], scheduler=diffusers.DDIMScheduler())
    made.set_progress_bar_config(disable=True)
    made.scheduler = interop.DDIMScheduler.from_config(
        made.scheduler.config, trajectory="quadratic"
    )
    made.scheduler.set_timesteps(10)
    assert made.scheduler.timesteps.tolist() == [t - 1 for t in reversed(made.scheduler.tau)]
    assert made.scheduler.tau == schedule.trajectory(1000, 10, "quadratic")
    images = made(1, torch.Generator().manual_seed(0), num_inference_steps=10).images
    assert len(images) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 2.0}, r"eta must be a number in \[0, 1\] or 'hat', got 2.0"),
        ({"trajectory": "cubic"}, "trajectory must be one of .* or a list of steps, got 'cubic'"),
        ({"trained_betas": [0.1]}, "trained_betas must be None"),
        ({"beta_schedule": "squaredcos_cap_v2"}, "beta_schedule must be 'linear'"),
        ({"prediction_type": "sample"}, "prediction_type must be 'epsilon', got 'sample'"),
    ],
)
def test_what_it_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        interop.DDIMScheduler(**options)


@pytest.mark.parametrize(
    "options",
    [{"rescale_betas_zero_snr": True}, {"thresholding": True}, {"clip_sample_range": 2.0}],
)
def test_a_configuration_of_what_it_cannot_do_is_refused(options):
    theirs = diffusers.DDIMScheduler(**options)
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be"):
        interop.DDIMScheduler.from_config(theirs.config)


def test_a_step_that_is_not_on_the_trajectory_is_refused(networks):
    scheduler = interop.DDIMScheduler()
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match="set by set_timesteps, got 0"):
        scheduler.step(x, 0, x)
    scheduler.set_timesteps(2)
    with pytest.raises(ValueError, match=r"one of \[0, 500\], got 7"):
        scheduler.step(x, 7, x)


def test_adding_noise_is_the_forward_process():
    scheduler = interop.DDIMScheduler()
    x_0, noise = torch.full((2, 1, 2, 2), 0.5), torch.ones(2, 1, 2, 2)
    x_t = scheduler.add_noise(x_0, noise, torch.tensor([0, 999]))
    a = schedule.alpha_bar()[[1, 1000]]
    assert x_t[:, 0, 0, 0].tolist() == pytest.approx((a.sqrt() * 0.5 + (1 - a).sqrt()).tolist())
    assert scheduler.add_noise(x_0.half(), noise, torch.tensor([0, 999])).dtype == torch.float16


@pytest.mark.parametrize("scheduler", ["DDPMScheduler", "DDIMScheduler", "ours"])
def test_any_pipeline_encodes_as_we_do(networks, scheduler):
    ours, unet = networks
    kind = interop.DDIMScheduler if scheduler == "ours" else getattr(diffusers, scheduler)
    made = diffusers.DDPMPipeline(unet=unet, scheduler=kind())
    x_0 = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x_T = interop.encode(made, x_0, 20, "quadratic")
    tau, alpha_bar = schedule.trajectory(1000, 20, "quadratic"), schedule.alpha_bar()
    with torch.no_grad():
        expected = sampler.encode(ours, x_0, alpha_bar, tau)
    torch.testing.assert_close(x_T, expected, atol=1e-4, rtol=1e-4)
    assert (x_T - x_0).abs().mean() > 0.1
    back = interop.decode(made, x_T, 20, "quadratic")
    with torch.no_grad():
        again = sampler.sample(ours, expected, alpha_bar, tau)
    torch.testing.assert_close(back, again, atol=1e-3, rtol=1e-3)


def test_a_network_of_another_prediction_is_not_encoded_with(networks):
    scheduler = diffusers.DDPMScheduler(prediction_type="v_prediction")
    made = diffusers.DDPMPipeline(unet=networks[1], scheduler=scheduler)
    with pytest.raises(ValueError, match="must predict epsilon, the scheduler says 'v_prediction'"):
        interop.encode(made, torch.zeros(1, 1, 8, 8), 10)


def test_the_room_imports_diffusers_only_when_asked():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        interop.nothing  # noqa: B018
