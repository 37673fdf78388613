"""Workers: what each supervised process runs, from its start to SIGTERM."""
