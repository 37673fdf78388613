"""Applications: what `rtlib up`, `demo`, `app`, `lab`, `cards`, `soak` and `bench` run."""
