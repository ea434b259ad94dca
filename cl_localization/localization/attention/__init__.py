"""The attention regressor, after ACE-G (Bruns et al., ICCV 2025): a network shared by all scenes that reads the codes
of a map."""
