import { useRouterState } from '@tanstack/react-router';
import type { RefObject } from 'react';
import { useEffect, useRef, useState } from 'react';

/**
 * When another page has come, the keyboard goes on at its beginning and not in the menu, and its title is given, to be read out:
 * browsers do both for a document of its own only. Filters in the address change nothing.
 */
export function useArrival(content: RefObject<HTMLElement | null>): string {
  const path = useRouterState({ select: ({ resolvedLocation }) => resolvedLocation?.pathname });
  const known = useRef(path);
  const [title, setTitle] = useState('');
  useEffect(() => {
    const before = known.current;
    known.current = path;
    if (before === undefined || before === path) return;
    setTitle(document.title);
    // Where the page stands is the router's concern.
    content.current?.focus({ preventScroll: true });
  }, [content, path]);
  return title;
}
