"""What trainings of all method rooms share: files of networks and the log of figures."""
