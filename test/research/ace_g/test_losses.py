"""Laplace losses: least where the uncertainty fits the error, and never blind to points behind the camera."""

from __future__ import annotations

import math

import torch

from cl_localization.research.ace_g.losses import laplace_loss_3d, laplace_loss_px, laplace_nll

EYE = torch.eye(4)[None, :3]
INTRINSICS = torch.tensor([[100.0, 100.0, 50.0, 50.0]])
CENTRE = torch.tensor([[50.0, 50.0]])


def test_the_uncertainty_that_fits_the_error_costs_least():
    error, sigmas = torch.full((200,), 0.3), torch.linspace(0.05, 2, 200)
    best = sigmas[laplace_nll(error, sigmas).argmin()]
    assert math.isclose(best, 0.3 * math.sqrt(2), rel_tol=0.05)


def test_the_gradient_leads_to_the_true_point():
    points = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    laplace_loss_3d(points, torch.zeros(1, 3), torch.zeros(1)).sum().backward()
    assert points.grad[0, 0] > 0 and points.grad[0, 1] == 0


def test_a_sigma_in_metres_is_less_pixels_far_away():
    pixels = CENTRE + torch.tensor([[5.0, 0.0]])
    near, far = (laplace_loss_px(torch.tensor([[0.0, 0.0, depth]]), torch.tensor([math.log(0.01)]), EYE, INTRINSICS,
                                 pixels, 0.1)
                 for depth in (1.0, 10.0))
    assert far > near  # the same 5 px are many more sigmas at ten metres


def test_a_point_behind_the_camera_is_drawn_before_it():
    points = torch.tensor([[0.0, 0.0, -2.0]], requires_grad=True)
    laplace_loss_px(points, torch.zeros(1), EYE, INTRINSICS, CENTRE, 0.1).sum().backward()
    assert points.grad[0, 2] < 0 and torch.isfinite(points.grad).all()


def test_the_true_point_has_the_least_loss_in_pixels():
    at = [laplace_loss_px(torch.tensor([[x, 0.0, 2.0]]), torch.zeros(1), EYE, INTRINSICS, CENTRE, 0.1).item()
          for x in (-0.1, 0.0, 0.1)]
    assert at[1] < at[0] and at[1] < at[2]
