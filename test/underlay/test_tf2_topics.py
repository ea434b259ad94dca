"""Broadcasters and listener over DDS; run against the underlay or the real tf2, whichever is installed."""

import time

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS: run scripts/test")
tf2_ros = pytest.importorskip("tf2_ros", reason="needs tf2_ros: run scripts/test")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy  # noqa: E402
from rclpy.time import Time  # noqa: E402

DEADLINE_S = 10.0
TF_TYPE_HASH = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"


@pytest.fixture
def ros(domain):
    """A node and a function that spins it until a condition holds or the deadline has passed."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node("tf_test", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin_until(condition):
        end_s = time.monotonic() + DEADLINE_S
        while not condition() and time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.05)
        return condition()

    yield node, spin_until
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def transform(parent, child, x, stamp_s=1):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(seconds=stamp_s).to_msg()
    message.transform.translation.x = x
    message.transform.rotation.w = 1.0
    return message


def test_what_is_broadcast_reaches_a_listener_that_came_first(ros):
    node, spin_until = ros
    buffer = tf2_ros.Buffer(node=node)
    listener = tf2_ros.TransformListener(buffer, node)
    broadcaster = tf2_ros.TransformBroadcaster(node)
    assert spin_until(lambda: node.count_subscribers("/tf") > 0 and broadcaster.pub_tf.get_subscription_count() > 0)
    broadcaster.sendTransform([transform("odom", "base", 1.0), transform("base", "camera", 0.5)])
    assert spin_until(lambda: buffer.can_transform("odom", "camera", Time(seconds=1)))
    assert buffer.lookup_transform("odom", "camera", Time(seconds=1)).transform.translation.x == pytest.approx(1.5)
    listener.unregister()


def test_static_transforms_reach_a_listener_that_came_late_all_of_them(ros):
    node, spin_until = ros
    broadcaster = tf2_ros.StaticTransformBroadcaster(node)
    broadcaster.sendTransform(transform("base", "camera", 0.5))
    broadcaster.sendTransform(transform("base", "laser", 0.7))
    buffer = tf2_ros.Buffer(node=node)
    listener = tf2_ros.TransformListener(buffer, node)
    assert spin_until(lambda: buffer.can_transform("laser", "camera", Time(seconds=99)))
    assert buffer.lookup_transform("laser", "camera", Time()).transform.translation.x == pytest.approx(-0.2)
    listener.unregister()


def test_the_topics_have_the_qualities_and_the_type_that_all_of_ros_agrees_on(ros):
    node, spin_until = ros
    broadcasters = tf2_ros.TransformBroadcaster(node), tf2_ros.StaticTransformBroadcaster(node)
    assert spin_until(lambda: node.count_publishers("/tf") and node.count_publishers("/tf_static"))
    moving, = node.get_publishers_info_by_topic("/tf")
    static, = node.get_publishers_info_by_topic("/tf_static")
    assert moving.qos_profile.durability == DurabilityPolicy.VOLATILE
    assert static.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert str(moving.topic_type_hash) == str(static.topic_type_hash) == TF_TYPE_HASH
    assert broadcasters


def test_a_listener_can_spin_its_node_in_a_thread_of_its_own(domain):
    rclpy.init(domain_id=domain)
    node = rclpy.create_node("tf_thread_test")
    buffer = tf2_ros.Buffer(node=node)
    listener = tf2_ros.TransformListener(buffer, node, spin_thread=True)
    try:
        tf2_ros.StaticTransformBroadcaster(node).sendTransform(transform("base", "camera", 0.5))
        found = buffer.can_transform("base", "camera", Time(), timeout=rclpy.duration.Duration(seconds=DEADLINE_S))
    finally:
        listener.executor.shutdown()
        listener.dedicated_listener_thread.join(DEADLINE_S)
        node.destroy_node()
        rclpy.try_shutdown()
    assert found
