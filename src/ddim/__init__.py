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

The map. A room is a folder whose edits change the same result; docs/architecture.md says which.

The library: the papers for any eps_model(x, t), without configuration.

    schedule       alpha-bar, sigma(eta), the trajectory tau; float64
    sampler        Eq. 12: x_T -> x_0 (sample), x_0 -> x_T (encode), slerp
    objective      Eq. 4 (q_sample), the training loss, flips, step size and EMA over time
    variational    Eq. 6-7 and Theorem 1: the family q_sigma, gamma, the bound
    multinomial    Appendix A: the same for discrete data
    noise          image i's noise from (seed, i)
    unet           the network, eps = unet(x, t)
    images         uint8 <-> [-1, 1]
    weights        load, save, import_published

Commands: `python -m ddim.<name>`; `ddim <name>` with all that one can run is main's.

    main           the console command `ddim`
    compose        conf/ -> params.yaml, which the pipeline runs; --check
    export         our weights as a folder for diffusers' DDIMPipeline
    adopt          commit a multirun's outputs to DVC, not computed again
    track          the experiment as one W&B run, from its records
    dashboard      the W&B workspace of an experiment

Rooms whose edits change a result, in the order in which data flows through them.

    data           files of a data set -> uint8 arrays
    training       one recipe -> one network
    interop        other people's weights and configurations, both ways
    sampling       a network -> the images of a cell, in shards, on one process or several
    evaluation     images -> feature spaces, FID, KID, precision, recall, intervals
    plotting       matplotlib: grids of images, still figures, animations
    analysis       the claims of the lecture and the paper, one module each
    report         records -> tables, figures, README.md, index.html; no torch

Rooms whose edits change none.

    runtime        files, the command line, progress, locks, multiruns
    config         settings: types, ranges, where every file lies
    records        what stages write and the report reads: typed, versioned, with fingerprints
    tracking       W&B and other loggers; what shows a training
    for_diffusers  our samplers as a scheduler of diffusers; encoding with its pipelines
    stages         thin programs: the stages of dvc.yaml but config and track; and discrete
    commandline    for a terminal: encode, interpolate, edit, own, doctor, completion
"""

import signal as _signal
import sys as _sys

# While `python -m ddim...` still imports, Ctrl-C ends it without a trace of what was imported; from
# then on ddim.runtime.interrupt has a line for it.
if _sys.argv[:1] == ["-m"] and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
