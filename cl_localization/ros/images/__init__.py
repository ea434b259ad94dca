"""Images, camera_info and depth from topics, put together by stamp."""
