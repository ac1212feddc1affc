/** What a caller asks for when it runs a container; texts are as docker's options take them. */

export interface RunRequest {
  /** Reference of an image, or empty when {@link rootfs} is given. */
  readonly image: string
  /** Absolute path of a root filesystem, used as it is, instead of an image. */
  readonly rootfs?: string | undefined
  readonly command: readonly string[]
  /** Replaces the image's entrypoint and drops its command; an empty list means no entrypoint. */
  readonly entrypoint?: readonly string[] | undefined
  readonly name?: string | undefined
  /** `NAME=value`. */
  readonly env: readonly string[]
  readonly workdir?: string | undefined
  /** `user[:group]`, names or numbers. */
  readonly user?: string | undefined
  readonly hostname?: string | undefined
  /** `source:destination[:options]`. */
  readonly volumes: readonly string[]
  /** `type=…,src=…,dst=…`. */
  readonly mounts: readonly string[]
  /** `path[:options]`. */
  readonly tmpfs: readonly string[]
  /** `path[:path][:rwm]`. */
  readonly devices: readonly string[]
  readonly readOnly: boolean
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
  readonly privileged: boolean
  readonly securityOpt: readonly string[]
  /** `name=soft[:hard]`. */
  readonly ulimits: readonly string[]
  /** `name=value`. */
  readonly sysctls: readonly string[]
  readonly network: 'none' | 'host'
  /** Bytes. */
  readonly memory?: number | undefined
  readonly cpus?: number | undefined
  /** -1 for no limit. */
  readonly pidsLimit?: number | undefined
  readonly pull: 'always' | 'missing' | 'never'
  readonly platform?: string | undefined
  /** Run tsrun-reaper as the first process. */
  readonly init: boolean
  /** `key[=value]`. */
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
  readonly stopSignal?: string | undefined
  readonly terminal: boolean
  readonly interactive: boolean
  readonly autoRemove: boolean
}
