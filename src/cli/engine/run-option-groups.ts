/** The headings under which `run --help` lists its options; what is in none of them comes last. */
export const RUN_OPTION_GROUPS: Readonly<Record<string, readonly string[]>> = {
  Container: words(
    'name rm detach attach interactive tty detach-keys sig-proxy init replace label label-file',
  ),
  Image: words('pull platform quiet retry retry-delay rootfs'),
  Process: words(
    'entrypoint env env-file env-host env-merge http-proxy unsetenv unsetenv-all user group-add passwd passwd-entry group-entry hostuser workdir umask tz systemd',
  ),
  Life: words(
    'restart timeout stop-signal stop-timeout die-with-parent cidfile pidfile log-driver log-opt',
  ),
  Health: words(
    'health-cmd health-interval health-timeout health-retries health-start-period health-start-interval health-on-failure no-healthcheck',
  ),
  'Files and devices': words(
    'volume volumes-from mount tmpfs secret read-only read-only-tmpfs shm-size device gpus no-hosts no-hostname chrootdirs',
  ),
  'Network and names': words(
    'network network-alias ip ip6 mac-address publish publish-all expose dns dns-search dns-option add-host hostname domainname pid ipc uts cgroupns',
  ),
  Limits: words(
    'memory memory-reservation memory-swap cpus cpu-shares cpu-quota cpu-period cpuset-cpus cpuset-mems pids-limit blkio-weight blkio-weight-device device-read-bps device-read-iops device-write-bps device-write-iops ulimit oom-score-adj cgroup-parent cgroup-conf',
  ),
  Security: words('cap-add cap-drop privileged security-opt sysctl device-cgroup-rule annotation'),
}

function words(text: string): readonly string[] {
  return text.split(' ')
}
