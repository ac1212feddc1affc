/** Lists the tags of a repository (distribution-spec "Listing Tags"), following its pages. */
import { TsrunError } from '../errors.ts'
import { tagProblem } from '../oci/reference.ts'
import { nextPage } from './next-page.ts'
import { failed } from './registry-errors.ts'
import type { RegistryRequests } from './registry-requests.ts'
import { type RegistryEndpoint, repositoryPath } from './resolve-reference.ts'

const PAGE = 1000
const MAX_PAGES = 100
const MAX_PAGE_BYTES = 4 * 1024 * 1024

/** Every tag, in the registry's order. */
export async function listTags(
  requests: RegistryRequests,
  endpoint: RegistryEndpoint,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const what = `the tags of "${endpoint.repository}"`
  const first = `${repositoryPath(endpoint)}/tags/list?n=${PAGE}`
  const tags: string[] = []
  const seen = new Set<string>()
  for (let path: string | undefined = first; path !== undefined; ) {
    if (seen.has(path) || seen.size >= MAX_PAGES)
      throw malformed(endpoint, what, 'its pages do not end')
    seen.add(path)
    const response = await requests.send({ path, what, signal })
    const body = await requests.readBytes(response, MAX_PAGE_BYTES, what)
    tags.push(...tagsIn(body, () => malformed(endpoint, what, 'it answered no list of tags')))
    path = nextPage(response.headers.get('link'), requests.address)
  }
  return [...new Set(tags)]
}

function tagsIn(body: Buffer, refuse: () => TsrunError): readonly string[] {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw refuse()
  }
  const tags: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'tags') : 0
  // A repository whose last tag has gone has null there.
  if (tags === null) return []
  if (!Array.isArray(tags)) throw refuse()
  for (const tag of tags)
    if (typeof tag !== 'string' || tagProblem(tag) !== undefined) throw refuse()
  return tags as string[]
}

function malformed({ host }: RegistryEndpoint, what: string, problem: string): TsrunError {
  return new TsrunError('unavailable', `${failed('get', what, host)}: ${problem}`)
}
