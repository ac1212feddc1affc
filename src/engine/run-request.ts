/** What a caller asks for when it runs a container. */
import type { SpecOptions } from '../spec/spec-input.ts'
import type { HealthOptions } from './health-config.ts'
import type { LogSettings } from './log-settings.ts'
import type { RestartPolicy } from './restart-policy.ts'

/** The options that make config.json, and the ones that only the engine needs. */
export interface RunRequest extends SpecOptions {
  /** Reference of an image; empty when {@link rootfs} is given. */
  readonly image: string
  /** Absolute path of a root filesystem, used as it is, instead of an image. */
  readonly rootfs?: string | undefined
  readonly name?: string | undefined
  /** When to fetch the image; `missing` by default. */
  readonly pull?: 'always' | 'missing' | 'never' | undefined
  readonly platform?: string | undefined
  /** `key[=value]`. */
  readonly labels?: readonly string[] | undefined
  readonly stopSignal?: string | undefined
  /** Seconds from the stop signal to SIGKILL. */
  readonly stopTimeout?: number | undefined
  /** Where the pid of the container's first process is written. */
  readonly pidFile?: string | undefined
  /** A container that has the name goes first. */
  readonly replace?: boolean | undefined
  /** How often a fetch that failed is tried again, and after how many seconds. */
  readonly retry?: { readonly times: number; readonly delay: number | undefined } | undefined
  /** Leave the image's /etc/hosts or /etc/hostname. */
  readonly noHosts?: boolean | undefined
  readonly noHostname?: boolean | undefined
  /** Folders that programs chroot(2) into: they get /etc/hosts and the like too. */
  readonly chrootFolders?: readonly string[] | undefined
  /** `name[,target=][,uid=][,gid=][,mode=]`. */
  readonly secrets?: readonly string[] | undefined
  /** Name of a time zone, or `local`. */
  readonly timezone?: string | undefined
  /** An entry in /etc/passwd for a user without one, and in /etc/group. */
  readonly passwd?: boolean | undefined
  /** With the words $USERNAME, $UID, $GID and $HOME. */
  readonly passwdEntry?: string | undefined
  /** With the words $GROUPNAME and $GID. */
  readonly groupEntry?: string | undefined
  /** Users of the host that /etc/passwd gets. */
  readonly hostUsers?: readonly string[] | undefined
  /** `--network` texts; absent for what {@link SpecOptions.network} says alone. */
  readonly networks?: readonly string[] | undefined
  readonly networkAliases?: readonly string[] | undefined
  readonly ip?: string | undefined
  readonly ip6?: string | undefined
  readonly macAddress?: string | undefined
  /** `[[ip:][port]:]port[/protocol]`. */
  readonly publish?: readonly string[] | undefined
  /** Publish every exposed port. */
  readonly publishAll?: boolean | undefined
  /** `port[-port][/protocol]`. */
  readonly expose?: readonly string[] | undefined
  readonly dns?: readonly string[] | undefined
  readonly dnsSearch?: readonly string[] | undefined
  readonly dnsOptions?: readonly string[] | undefined
  /** `name:address`. */
  readonly addHosts?: readonly string[] | undefined
  /** Keep stdin open. */
  readonly interactive?: boolean | undefined
  /** Remove the container when it has ended. */
  readonly autoRemove?: boolean | undefined
  readonly restart?: RestartPolicy | undefined
  readonly log?: LogSettings | undefined
  readonly health?: HealthOptions | undefined
  /** Seconds after which the container is killed. */
  readonly timeout?: number | undefined
  /** The container is killed when the process that started this one ends. */
  readonly dieWithParent?: boolean | undefined
}
