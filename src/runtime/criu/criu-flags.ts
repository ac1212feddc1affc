/** What checkpoint and restore are told alike, and the part of criu's options that comes of it. */
import { existsSync, mkdirSync, openSync, readdirSync, realpathSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { CLONE_NEWNET } from '../../linux/namespaces.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { whoCanChange } from '../../util/who-can-change.ts'
import { criuIsGone } from './criu-error.ts'
import { CGROUP_MODES, type CriuOptions } from './messages.ts'

export interface CriuFlags {
  /** Directory of the images. */
  readonly imagePath: string
  /** Directory of criu's log and of what it needs while it works; the images' when absent. */
  readonly workPath?: string
  readonly tcpEstablished?: boolean
  readonly extUnixSk?: boolean
  readonly shellJob?: boolean
  readonly fileLocks?: boolean
  readonly autoDedup?: boolean
  readonly lazyPages?: boolean
  /** soft, full, strict, ignore, or '' for criu's own choice. */
  readonly manageCgroupsMode?: string
  /** Absolute path or name of criu. */
  readonly criu?: string
}

/** The open directories of a checkpoint; criu opens them again through our descriptors. */
export interface CriuDirectories extends Disposable {
  readonly images: OwnedFd
  readonly work: OwnedFd | undefined
}

/**
 * Opens them in the mount namespace of the process `criu`: it goes to its work directory through our
 * descriptor, and may mount there only when that is in its own namespace.
 */
export function openDirectories(
  { imagePath, workPath }: CriuFlags,
  criu: number | 'self',
): CriuDirectories {
  const images = openDirectory(imagePath, criu)
  let work: OwnedFd | undefined
  try {
    if (workPath !== undefined) {
      mkdirSync(workPath, { recursive: true, mode: 0o700 })
      refuseShared(workPath)
      work = openDirectory(workPath, criu)
    }
  } catch (error) {
    images.close()
    throw error
  }
  return {
    images,
    work,
    [Symbol.dispose]() {
      images.close()
      work?.close()
    },
  }
}

/**
 * Throws `failed-precondition` when others may change what is in the directory: a restored process is
 * what its images say, capabilities included, and criu follows the links that it finds in their place.
 */
export function refuseShared(path: string): void {
  const { stranger } = whoCanChange(path) ?? {}
  if (stranger === undefined) return
  throw new TsrunError('failed-precondition', `cannot use ${path} for criu: ${stranger}`, {
    hint: 'keep images, and what criu works on, in a directory of your own with mode 0700',
  })
}

function openDirectory(path: string, criu: number | 'self'): OwnedFd {
  let real: string
  try {
    real = realpathSync(path)
    readdirSync(real)
  } catch (cause) {
    throw new TsrunError('not-found', `cannot open the directory ${path} for criu`, {
      cause,
      hint: 'give --image-path the directory that a checkpoint was saved in',
    })
  }
  try {
    // By its real path: an absolute symlink would lead back out of the other namespace.
    return new OwnedFd(openSync(`/proc/${criu}/root${real}`, 'r'))
  } catch (error) {
    // It is there for us, so it is the process that is gone.
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ESRCH') throw criuIsGone()
    throw error
  }
}

/** The options that both have. Throws `invalid-argument` for an unknown cgroups mode. */
export function commonOptions(
  flags: CriuFlags,
  directories: CriuDirectories,
  config: RuntimeConfig,
  logFile: string,
): CriuOptions {
  return {
    imagesDirFd: directories.images.fd,
    ...(directories.work === undefined ? {} : { workDirFd: directories.work.fd }),
    logLevel: 4,
    logFile,
    manageCgroups: true,
    manageCgroupsMode: cgroupMode(flags.manageCgroupsMode ?? ''),
    notifyScripts: true,
    shellJob: flags.shellJob === true,
    extUnixSk: flags.extUnixSk === true,
    tcpEstablished: flags.tcpEstablished === true,
    fileLocks: flags.fileLocks === true,
    orphanPtsMaster: true,
    autoDedup: flags.autoDedup === true,
    lazyPages: flags.lazyPages === true,
    // The network is whoever made the namespace's to set up again.
    emptyNamespaces: CLONE_NEWNET,
    ...configFile(config),
  }
}

function cgroupMode(word: string): number {
  const mode = Object.hasOwn(CGROUP_MODES, word) ? CGROUP_MODES[word] : undefined
  if (mode !== undefined) return mode
  throw new TsrunError('invalid-argument', 'invalid manage-cgroups-mode value', {
    hint: 'give soft, full, strict or ignore',
  })
}

const CONFIG_FILES = ['/etc/criu/tsrun.conf', '/etc/criu/runc.conf']

// As with runc: the annotation names another file, and an empty one none.
function configFile({ annotations = {} }: RuntimeConfig): CriuOptions {
  const given = annotations['org.criu.config']
  const file = given ?? CONFIG_FILES.find((path) => existsSync(path)) ?? ''
  return file === '' ? {} : { configFile: file }
}
