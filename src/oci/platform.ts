/** Platforms of images: parsing `os/arch/variant`, and choosing among the manifests of an index as containerd does. */
import { TsrunError } from '../errors.ts'

/** image-spec image-index.md "platform", with its field names. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
  readonly 'os.features'?: readonly string[]
}

/** Other names of an architecture, with the variant they imply. */
const ARCHITECTURE_ALIASES: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  i386: ['386'],
  i686: ['386'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
}

const ARCHITECTURES: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(
    ' ',
  ),
)
const SYSTEMS: ReadonlySet<string> = new Set(
  'linux windows darwin freebsd netbsd openbsd dragonfly solaris illumos aix android plan9 js wasip1 wasi'.split(
    ' ',
  ),
)

/** GOARCH by Node's process.arch. */
const NODE_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  loong64: 'loong64',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
}

/** The platform of this machine, from Node's `process.arch`. */
export function hostPlatform(nodeArchitecture: string): Platform {
  const architecture = NODE_ARCHITECTURES[nodeArchitecture] ?? nodeArchitecture
  return normalizePlatform({ os: 'linux', architecture })
}

/**
 * `os`, `arch`, `os/arch` or `os/arch/variant` in any case and with the usual other names
 * (`x86_64`, `aarch64`, `armhf`); what is not given comes from `host`.
 */
export function parsePlatform(text: string, host: Platform): Platform {
  const parts = text.toLowerCase().split('/')
  const [first = '', second, third] = parts
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    refuse(text, 'it must be os/architecture or os/architecture/variant')
  }
  if (second === undefined) {
    if (SYSTEMS.has(first)) return normalizePlatform({ ...host, os: first })
    return normalizePlatform({ os: host.os, architecture: knownArchitecture(first, text) })
  }
  if (!SYSTEMS.has(first)) refuse(text, `"${first}" is not an operating system`)
  const architecture = knownArchitecture(second, text)
  return normalizePlatform({
    os: first,
    architecture,
    ...(third === undefined ? {} : { variant: third }),
  })
}

/** One spelling for each platform: Go's architecture names, no variant where it is the default. */
export function normalizePlatform(platform: Platform): Platform {
  const [architecture, implied] = ARCHITECTURE_ALIASES[platform.architecture.toLowerCase()] ?? [
    platform.architecture.toLowerCase(),
  ]
  const { variant: given, ...rest } = platform
  const variant = normalVariant(architecture, given?.toLowerCase() || implied)
  return {
    ...rest,
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant === undefined ? {} : { variant }),
  }
}

/** `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`
  return platform.variant === undefined || platform.variant === ''
    ? base
    : `${base}/${platform.variant}`
}

/** Whether both are the same platform once normalised. */
export function samePlatform(a: Platform, b: Platform): boolean {
  return formatPlatform(normalizePlatform(a)) === formatPlatform(normalizePlatform(b))
}

/**
 * The platforms whose images run where `wanted` does, best first: older variants of ARM and AMD64,
 * 32-bit ARM on ARM64, 386 on AMD64.
 */
export function platformPreferences(wanted: Platform): readonly Platform[] {
  const { os, architecture, variant } = normalizePlatform(wanted)
  const of = (arch: string, version?: string): Platform =>
    normalizePlatform({
      os,
      architecture: arch,
      ...(version === undefined ? {} : { variant: version }),
    })
  const older = (arch: string, from: string, lowest: number): readonly Platform[] => {
    const list: Platform[] = []
    for (let v = Number(from.slice(1)); v >= lowest; v--) list.push(of(arch, `v${v}`))
    return list
  }
  const numbered = variant === undefined || /^v\d$/.test(variant)
  if (!numbered) return [of(architecture, variant)]
  if (architecture === 'arm') return older('arm', variant ?? 'v7', 5)
  if (architecture === 'arm64')
    return [...older('arm64', variant ?? 'v8', 8), ...older('arm', 'v8', 5)]
  if (architecture === 'amd64') return [...older('amd64', variant ?? 'v1', 1), of('386')]
  return [of(architecture, variant)]
}

/** Whether an image for `candidate` runs where `wanted` does. */
export function platformMatches(wanted: Platform, candidate: Platform): boolean {
  return platformPreferences(wanted).some((preference) => samePlatform(preference, candidate))
}

/**
 * The entry to use for `wanted`: the best platform, the first of equals, and an entry that names no
 * platform when nothing else fits. Undefined when the index has nothing for it.
 */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  wanted: Platform,
  entries: readonly T[],
): T | undefined {
  for (const preference of platformPreferences(wanted)) {
    const found = entries.find(
      ({ platform }) => platform !== undefined && samePlatform(preference, platform),
    )
    if (found !== undefined) return found
  }
  return entries.find(({ platform }) => platform === undefined)
}

function normalVariant(architecture: string, variant: string | undefined): string | undefined {
  const version = variant !== undefined && /^\d$/.test(variant) ? `v${variant}` : variant
  if (architecture === 'arm') return version ?? 'v7'
  if (architecture === 'arm64' && version === 'v8') return undefined
  if (architecture === 'amd64' && version === 'v1') return undefined
  return version
}

function knownArchitecture(name: string, text: string): string {
  const architecture = ARCHITECTURE_ALIASES[name]?.[0] ?? name
  if (!ARCHITECTURES.has(architecture)) refuse(text, `"${name}" is not an architecture`)
  // The alias itself goes on: it may imply a variant.
  return name
}

function refuse(text: string, problem: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot use platform ${JSON.stringify(text)}: ${problem}`,
  )
}
