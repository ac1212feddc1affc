/** What building a config.json needs: the image's wishes, the user's options and the host's facts. */
import type { ImageProcess } from '../oci/image.ts'
import type { IdMapping, Mount, NamespaceType, Seccomp } from '../oci/runtime-config.ts'

/** Options of `run`, as the texts that docker's flags take; an absent one means docker's default. */
export interface SpecOptions {
  readonly command?: readonly string[] | undefined
  /** Replaces the image's entrypoint and drops its command; an empty list means no entrypoint. */
  readonly entrypoint?: readonly string[] | undefined
  /** `NAME=value`; a bare `NAME` removes the image's variable. */
  readonly env?: readonly string[] | undefined
  /** The caller's own variables, below all others (--env-host). */
  readonly envHost?: readonly string[] | undefined
  /** `NAME=value` where `${OTHER}` stands for a variable of the image. */
  readonly envMerge?: readonly string[] | undefined
  /** Names of variables of the image or of ours that are left out. */
  readonly unsetEnv?: readonly string[] | undefined
  /** All of those. */
  readonly unsetEnvAll?: boolean | undefined
  readonly workdir?: string | undefined
  /** `user[:group]`, names or numbers. */
  readonly user?: string | undefined
  /** Further groups, names or numbers (--group-add). */
  readonly groups?: readonly string[] | undefined
  readonly hostname?: string | undefined
  readonly domainname?: string | undefined
  /** `private`, `host`, `container:NAME` or `ns:/path`; ipc also `shareable` and `none`. */
  readonly pid?: string | undefined
  readonly ipc?: string | undefined
  readonly uts?: string | undefined
  readonly cgroupns?: string | undefined
  /** `host`, `auto[:…]`, `keep-id[:…]`, `nomap`, `container:NAME`, or `private` with maps. */
  readonly userns?: string | undefined
  /** `container_id:from_id[:amount]`. */
  readonly uidMaps?: readonly string[] | undefined
  readonly gidMaps?: readonly string[] | undefined
  /** Whose ranges of /etc/subuid and /etc/subgid. */
  readonly subuidName?: string | undefined
  readonly subgidName?: string | undefined
  /** Octal digits. */
  readonly umask?: string | undefined
  /** `true` when the command is systemd, `always` or `false`, which is the default. */
  readonly systemd?: string | undefined
  /** `[source:]destination[:options]`. */
  readonly volumes?: readonly string[] | undefined
  /** `type=…,src=…,dst=…`. */
  readonly mounts?: readonly string[] | undefined
  /** Containers whose volumes this one gets too: `container[:ro|rw]`. */
  readonly volumesFrom?: readonly string[] | undefined
  /** `path[:options]`. */
  readonly tmpfs?: readonly string[] | undefined
  /** `all`, a number, or `device=NAME,…`. */
  readonly gpus?: string | undefined
  /** `path[:path][:rwm]`, or `vendor/class=name` (CDI). */
  readonly devices?: readonly string[] | undefined
  readonly readOnly?: boolean | undefined
  /** With `readOnly`: /run, /tmp and /var/tmp can be written. */
  readonly readOnlyTmpfs?: boolean | undefined
  readonly capAdd?: readonly string[] | undefined
  readonly capDrop?: readonly string[] | undefined
  readonly privileged?: boolean | undefined
  readonly securityOpt?: readonly string[] | undefined
  /** `name=soft[:hard]`. */
  readonly ulimits?: readonly string[] | undefined
  /** `name=value`. */
  readonly sysctls?: readonly string[] | undefined
  readonly network?: 'none' | 'host' | undefined
  /** Bytes. */
  readonly memory?: number | undefined
  /** Bytes of memory and swap together, -1 for no limit. */
  readonly memorySwap?: number | undefined
  readonly memoryReservation?: number | undefined
  readonly cpus?: number | undefined
  /** Microseconds that it may run in each period; -1 for no limit. */
  readonly cpuQuota?: number | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuShares?: number | undefined
  readonly cpusetCpus?: string | undefined
  readonly cpusetMems?: string | undefined
  /** From 10 to 1000; 0 is not given. */
  readonly blkioWeight?: number | undefined
  /** `path:weight`. */
  readonly blkioWeightDevice?: readonly string[] | undefined
  /** `path:rate`. */
  readonly deviceReadBps?: readonly string[] | undefined
  readonly deviceWriteBps?: readonly string[] | undefined
  readonly deviceReadIops?: readonly string[] | undefined
  readonly deviceWriteIops?: readonly string[] | undefined
  /** `c 1:3 rwm`. */
  readonly deviceCgroupRules?: readonly string[] | undefined
  /** The cgroup that the container's is made in. */
  readonly cgroupParent?: string | undefined
  /** `file=value` for files of cgroup v2. */
  readonly cgroupConf?: readonly string[] | undefined
  /** 0 or -1 for no limit. */
  readonly pidsLimit?: number | undefined
  /** Bytes of /dev/shm. */
  readonly shmSize?: number | undefined
  readonly oomScoreAdj?: number | undefined
  readonly init?: boolean | undefined
  /** `key=value`. */
  readonly annotations?: readonly string[] | undefined
  readonly terminal?: boolean | undefined
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined
}

/** A device node of the host, from stat(2). */
export interface DeviceStat {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Facts of the machine; whoever calls looks them up, `lookupsOf` says which. */
export interface SpecHost {
  readonly architecture: 'x86_64' | 'aarch64'
  readonly hostname: string
  /** `uname -r`, for profiles that ask for a minimum kernel. */
  readonly kernelRelease: string
  /** Capabilities that tsrun itself has and may give (CapBnd of /proc/self/status). */
  readonly capabilities: readonly string[]
  /** The devices that --device names, or all of /dev with --privileged. */
  readonly devices: readonly DeviceStat[]
  /** Where relative sources of -v are taken from. */
  readonly workingDirectory: string
  /** Texts of the files that --security-opt seccomp= names, by the path as given. */
  readonly seccompProfiles: ReadonlyMap<string, string>
  readonly apparmor: boolean
  readonly selinux: boolean
  /** tsrun itself is in a user namespace, and its containers share it. */
  readonly ownNamespace?: {
    readonly gidMappings: readonly IdMapping[]
    /** setgroups(2) is denied there (user_namespaces(7)). */
    readonly deniesGroups: boolean
  }
}

/** Makes the seccomp filter that containers have by default; src/seccomp owns it. */
export type DefaultSeccompProfile = (facts: {
  readonly capabilities: readonly string[]
  readonly architecture: 'x86_64' | 'aarch64'
}) => Seccomp

export interface SpecInput {
  readonly containerId: string
  /** root.path of the config: the mounted root filesystem. */
  readonly rootPath: string
  /** `config` of the image config; undefined when there is no image. */
  readonly image: ImageProcess | undefined
  readonly options: SpecOptions
  readonly host: SpecHost
  /** Text of /etc/passwd of the container, undefined when it has none. */
  readonly passwd: string | undefined
  /** Text of /etc/group of the container, undefined when it has none. */
  readonly group: string | undefined
  readonly defaultSeccompProfile: DefaultSeccompProfile
  /** Files the engine puts over the image's: /etc/hosts, /etc/resolv.conf, /etc/hostname. */
  readonly engineMounts?: readonly Mount[]
  /** What -v, --mount and the image ask for and the engine has prepared: volumes, images, overlays. */
  readonly volumeMounts?: readonly Mount[]
  readonly cgroupsPath?: string
  /** Namespaces of other containers, by path. */
  readonly joined?: Readonly<Partial<Record<NamespaceType, string>>>
  /** What /dev/shm is where it is not the container's own: that of the host or of another container. */
  readonly shmSource?: string
  /** Host path of the first process of --init. */
  readonly initPath?: string
  /** The ids of a container that has some of its own. */
  readonly userNamespace?: {
    readonly uidMappings: readonly IdMapping[]
    readonly gidMappings: readonly IdMapping[]
  }
}
