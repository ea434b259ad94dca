# Sourced by the scripts beside it: the environment in which the package runs, from what scripts/setup made.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

# Prefixes of a sourced ROS distribution: not of this checkout, and not of wheels in some virtual environment.
distribution_prefixes() {
  local prefix
  local IFS=:
  for prefix in ${AMENT_PREFIX_PATH:-}; do
    [[ $prefix == "$root"/install* || -e $prefix/pyvenv.cfg ]] || echo "$prefix"
  done
}

has_distribution() {
  local prefix
  while read -r prefix; do
    [[ -e $prefix/share/ament_index/resource_index/packages/rclpy ]] && return 0
  done < <(distribution_prefixes)
  return 1
}

# The wheels set none of the paths of their libraries and ament resources. They would find the libraries by starting every Python
# twice; the second variable tells them that it is done.
use_wheels() {
  local libraries
  libraries=$(printf '%s:' "$venv"/lib "$venv"/lib/python3.*/site-packages/ros_*.libs)
  export AMENT_PREFIX_PATH=$venv${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}
  export CMAKE_PREFIX_PATH=$venv${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:-}
  export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
}

# Python from the virtual environment, ROS from the distribution or the wheels: what building needs.
enter_venv() {
  export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
  has_distribution || use_wheels
}

# Print the Fast DDS profile: each process needs a segment of shared memory, and containers often have 64 MB for all of them.
dds_profile() {
  local free_kb
  free_kb=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1) || free_kb=0
  if ((free_kb > 262144)); then
    echo "$root/config/fastdds.xml"
    return
  fi
  sed -e 's#<segment_size>[0-9]*#<segment_size>8388608#' -e 's#<maxMessageSize>[0-9]*#<maxMessageSize>4194304#' \
    "$root/config/fastdds.xml" >"$root/.setup/fastdds_small.xml"
  echo "$root/.setup/fastdds_small.xml"
}

# What was built, and settings that work on one machine without a network unless the user has chosen others.
enter_install() {
  set +u
  # shellcheck disable=SC1091
  source "$root/install/local_setup.bash"
  set -u
  export PYTHONPATH=$root:${PYTHONPATH:-}
  export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
  local profile=FASTDDS_DEFAULT_PROFILES_FILE
  [[ ${ROS_DISTRO:-} != jazzy ]] || profile=FASTRTPS_DEFAULT_PROFILES_FILE
  [[ -n ${!profile:-} ]] || export RMW_FASTRTPS_USE_QOS_FROM_XML=${RMW_FASTRTPS_USE_QOS_FROM_XML:-1} "$profile=$(dds_profile)"
}
