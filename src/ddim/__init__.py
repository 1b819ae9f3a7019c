"""ddim: train a DDPM once, then measure every sampler of the DDIM family it serves.

Symbols. The same letter means different things in the papers; the code uses the left column.

    here                        DDIM paper          DDPM paper, lecture   diffusers
    a = alpha_bar[t]            alpha_t             alpha-bar_t           alphas_cumprod[t - 1]
    a_prev                      alpha_{t-1}         alpha-bar_{t-1}       at the previous step taken
    beta_t = 1 - a / a_prev     1 - alpha_t/a_{t-1} beta_t                betas[t - 1]
    t in 1..T, alpha_bar[0]=1   t in 1..T           t in 1..T             t in 0..T-1
    tau, S                      tau, dim(tau)       -                     timesteps
    x0_hat                      f_theta (Eq. 9)     x0-hat                pred_original_sample
    sigma(eta), "hat"           Eq. 16, sigma-hat   beta-tilde, beta      variance

Data flows one way. Nothing imports a stage.

    schedule sampler noise      the mathematics: Eq. 12, Eq. 16, tau; no network
    family discrete             Eq. 6-7 and Theorem 1; Appendix A's multinomial version
    unet                        the network, eps = unet(x, t)
    weights images data         files: weights, uint8 images, data sets
    published export            other people's layouts of the weights, and ours for diffusers
    training batches callbacks  Lightning: the objective, its batches, what happens around a step
    generation spreading        images in numbers: shards that survive a kill, several processes
    features metrics neighbours feature spaces; FID, KID; the distances of precision and recall
    intervals tabular           95 % intervals; CSV
    lecture                     the lecture's claims as figures and numbers
    schema compose              configuration: types, ranges, conf/ -> params.yaml
    stages                      one program per DVC stage
    adopt track                 DVC takes over a multirun's cells; the sweep as one W&B run
    report                      tables, figures and pages from the committed JSON; no torch
"""
