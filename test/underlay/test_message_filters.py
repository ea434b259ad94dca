"""How messages are brought together; runs against the underlay or the real message_filters, whichever is installed."""

import time

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS: run scripts/test")
message_filters = pytest.importorskip("message_filters", reason="needs message_filters: run scripts/test")

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

DEADLINE_S = 10.0


def image(stamp_ms):
    message = Image()
    message.header.stamp = Time(nanoseconds=stamp_ms * 1_000_000).to_msg()
    return message


def synchronized(make, inputs, count=2):
    """Feed (input, stamp in ms) pairs; return the sets of stamps that came out."""
    filters = [message_filters.SimpleFilter() for _ in range(count)]
    synchronizer, out = make(filters), []
    synchronizer.registerCallback(
        lambda *messages: out.append(tuple(Time.from_msg(m.header.stamp).nanoseconds // 1_000_000 for m in messages)))
    for index, stamp_ms in inputs:
        filters[index].signalMessage(image(stamp_ms))
    return out


def exact(filters):
    return message_filters.TimeSynchronizer(filters, 3)


def approximate(filters):
    return message_filters.ApproximateTimeSynchronizer(filters, 3, 0.02)


@pytest.mark.parametrize("make", [exact, approximate])
def test_equal_stamps_come_together_in_the_order_of_the_filters(make):
    assert synchronized(make, [(1, 10), (0, 10), (0, 50), (1, 50)]) == [(10, 10), (50, 50)]


def test_exact_synchronization_knows_no_nearly():
    assert synchronized(exact, [(0, 10), (1, 11)]) == []


def test_close_stamps_come_together_when_approximate():
    assert synchronized(approximate, [(0, 100), (1, 119)]) == [(100, 119)]


def test_the_slop_itself_is_too_far():
    assert synchronized(approximate, [(0, 100), (1, 120)]) == []


def test_the_nearest_stamp_is_taken():
    assert synchronized(approximate, [(0, 100), (0, 108), (1, 110)]) == [(108, 110)]


def test_all_of_three_must_lie_within_the_slop():
    assert synchronized(approximate, [(0, 100), (1, 115), (2, 130)], count=3) == []
    assert synchronized(approximate, [(0, 100), (1, 108), (2, 116)], count=3) == [(100, 108, 116)]


def test_a_message_is_used_once():
    assert synchronized(approximate, [(0, 100), (1, 101), (1, 102)]) == [(100, 101)]


@pytest.mark.parametrize("make", [exact, approximate])
def test_of_too_many_waiting_messages_the_lowest_stamps_go(make):
    waiting = [(0, stamp_ms) for stamp_ms in (100, 200, 300, 400)]
    assert synchronized(make, waiting + [(1, 100)]) == []
    assert synchronized(make, waiting + [(1, 200)]) == [(200, 200)]


def test_after_a_jump_back_a_full_queue_drops_the_new_messages():
    ahead = [(0, stamp_ms) for stamp_ms in (900, 1000, 1100)]
    assert synchronized(approximate, ahead + [(1, 100), (0, 100)]) == []


def test_messages_without_a_header_are_refused_unless_allowed():
    for allow, expected in ((False, 0), (True, 1)):
        filters, out = [message_filters.SimpleFilter() for _ in range(2)], []
        synchronizer = message_filters.ApproximateTimeSynchronizer(filters, 3, 5.0, allow_headerless=allow)
        synchronizer.registerCallback(lambda *messages: out.append(messages))
        for source in filters:
            source.signalMessage(String(data="no header"))
        assert len(out) == expected


def test_further_arguments_of_a_callback_follow_the_message():
    source, out = message_filters.SimpleFilter(), []
    source.registerCallback(lambda *args: out.append(args), "extra")
    source.signalMessage("message")
    assert out == [("message", "extra")]


def test_subscribers_feed_a_synchronizer():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=88)
    node, out = rclpy.create_node("filter_test", context=context), []
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    subscribers = [message_filters.Subscriber(node, Image, "image", qos_profile=5),
                   message_filters.Subscriber(node, CameraInfo, "camera_info")]
    message_filters.TimeSynchronizer(subscribers, 5).registerCallback(lambda *messages: out.append(messages))
    publishers = [node.create_publisher(Image, "image", 5), node.create_publisher(CameraInfo, "camera_info", 10)]
    end_s = time.monotonic() + DEADLINE_S
    while any(p.get_subscription_count() == 0 for p in publishers) and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.05)
    publishers[0].publish(Image(width=7))
    publishers[1].publish(CameraInfo(width=7))
    while not out and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
    (first, second), = out
    assert (first.width, second.width, subscribers[0].getTopic()) == (7, 7, "image")
