import { describe, expect, it } from 'vitest'
import { requestOf } from '../../../src/engine/library-options.ts'

describe('requestOf()', () => {
  it("turns a program's options into a request", () => {
    const request = requestOf({
      image: 'x',
      args: ['a'],
      cwd: '/w',
      env: { A: 'b=c' },
      labels: { l: '' },
      readOnly: true,
      stdin: 'pipe',
      mounts: [
        { type: 'bind', source: '/a,b', target: '/t"t', readOnly: true },
        { type: 'tmpfs', target: '/tmp' },
      ],
    })
    expect(request).toMatchObject({
      image: 'x',
      command: ['a'],
      workdir: '/w',
      env: ['A=b=c'],
      labels: ['l='],
      readOnly: true,
      interactive: true,
      terminal: false,
      autoRemove: true,
    })
    expect(request.mounts).toEqual([
      'type=bind,"target=/t""t","source=/a,b",readonly',
      'type=tmpfs,target=/tmp',
    ])
  })

  it('has no stdin unless it is asked for', () => {
    expect(requestOf({ image: 'x' }).interactive).toBe(false)
    expect(requestOf({ image: 'x', stdin: 'ignore' }).interactive).toBe(false)
  })
})
