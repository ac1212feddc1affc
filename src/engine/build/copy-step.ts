/** COPY and ADD: files into the stage's tree. */
import { dockerfileError } from '../../dockerfile/dockerfile-error.ts'
import { expandWord } from '../../dockerfile/expand-word.ts'
import type { Copy } from '../../dockerfile/instruction.ts'
import { expandIn, lookUp } from '../../dockerfile/stage-config.ts'
import type { BuildSession } from './build-session.ts'
import { contextSources, requireContext } from './context-folder.ts'
import { copyIntoRoot } from './copy-into-root.ts'
import type { CopySources } from './copy-request.ts'
import { isRemote } from './downloads.ts'
import { hashSources } from './hash-sources.ts'
import { addLayerStep } from './layer-step.ts'
import type { StepContext } from './run-step.ts'
import type { StageResult } from './stage-result.ts'
import { openTreeSource, type TreeSource } from './stage-source.ts'

/** What is the same for every source of the copy. */
type Wanted = Omit<CopySources, 'folder' | 'folderName' | 'ignore'>

export async function copyStep(
  step: StepContext,
  stage: StageResult,
  copy: Copy,
): Promise<StageResult> {
  const { session, name } = step
  const { dockerfile } = session
  const expand = (word: string) => expandIn(stage.config, dockerfile, copy.line, word)
  refuseRemote(copy, copy.sources.map(expand), { file: dockerfile.file, line: copy.line })
  const from = copy.from === undefined ? undefined : await step.sourceOf(expand(copy.from))
  const wanted = wantedOf(session, stage, copy)
  const target = {
    workingDirectory: stage.config.process.WorkingDir || '/',
    destination: expand(copy.destination),
    chown: copy.chown === undefined ? undefined : expand(copy.chown),
    chmod: copy.chmod === undefined ? undefined : expand(copy.chmod),
    link: copy.link,
  }
  const withSources = async <Result>(use: (sources: CopySources) => Promise<Result>) => {
    const needsFiles = wanted.patterns.some((word) => wanted.kind === 'copy' || !isRemote(word))
    const found = sourcesOf(step, from, needsFiles)
    using _ = found.folder
    return await use({ ...wanted, ...found, downloads: session.downloads })
  }
  const byContent = async () => ({
    ...{ kind: wanted.kind, ...target, keepOwners: wanted.keepOwners, parents: wanted.parents },
    content: await withSources(hashSources),
  })
  // A finished tree never changes: its name is enough, and its files need not be read.
  const byTree = async () => ({ ...wanted, ...target, tree: from?.chainIds.at(-1) })
  return await addLayerStep(session, stage, {
    name,
    createdBy: copy.text,
    keys: from === undefined ? [byContent] : [byTree, byContent],
    readsContext: from === undefined,
    work: async (tree) => {
      using root = tree.openRoot()
      await withSources((sources) =>
        copyIntoRoot({
          ...sources,
          ...target,
          root,
          warn: (text) => session.request.onProgress({ type: 'warning', text }),
          latestTime: session.latestTime,
        }),
      )
      return 'changed'
    },
  })
}

function wantedOf({ dockerfile }: BuildSession, { config }: StageResult, copy: Copy): Wanted {
  const expand = (word: string) => expandIn(config, dockerfile, copy.line, word)
  const { file, escapeChar } = dockerfile
  const options = { escapeChar, place: { file, line: copy.line }, quotes: 'raw' } as const
  return {
    kind: copy.kind === 'ADD' ? 'add' : 'copy',
    patterns: copy.sources.map(expand),
    inline: copy.heredocs.map(({ name, content, expand: hasVariables }) => ({
      name,
      content: hasVariables
        ? expandWord(content, (variable) => lookUp(config, variable), options)
        : content,
    })),
    excludes: copy.excludes.map(expand),
    parents: copy.parents,
    keepOwners: copy.from !== undefined,
    checksum: copy.checksum === undefined ? undefined : expand(copy.checksum),
  }
}

function sourcesOf(
  { session, context }: StepContext,
  from: TreeSource | undefined,
  needsFiles: boolean,
): Pick<CopySources, 'folder' | 'folderName' | 'ignore'> {
  if (from !== undefined)
    return { folder: openTreeSource(session, from), folderName: from.name, ignore: undefined }
  if (needsFiles || context !== undefined) return contextSources(requireContext(context))
  // Nothing is looked for in it: all files stand in the Dockerfile.
  return contextSources({ path: '/', ignore: undefined })
}

function refuseRemote(
  { kind }: Copy,
  sources: readonly string[],
  place: { readonly file: string; readonly line: number },
): void {
  const remote = kind === 'ADD' ? undefined : sources.find(isRemote)
  if (remote !== undefined)
    throw dockerfileError(place, `COPY takes files of the context, not ${remote}: use ADD`)
}
