namespace EventBus.Transports;

/// <summary>Determines whether an event name can match several patterns.</summary>
internal static class PatternOverlap
{
    /// <summary>Returns true if at least one event name matches all patterns.</summary>
    /// <param name="patterns">The patterns; valid ones.</param>
    public static bool Exists(IEnumerable<string> patterns)
    {
        string[][] words = [.. patterns.Select(pattern => pattern.Split('.'))];
        return Exists(words, new int[words.Length], new HashSet<string>(StringComparer.Ordinal));
    }

    /// <param name="patterns">The words of the patterns.</param>
    /// <param name="positions">The index of the first word of each pattern that is not matched yet.</param>
    /// <param name="seen">The positions that were tried before, so that the time is bounded.</param>
    private static bool Exists(string[][] patterns, int[] positions, HashSet<string> seen)
    {
        if (!seen.Add(string.Join(',', positions)))
        {
            return false;
        }

        if (patterns.Index().All(pattern => positions[pattern.Index] == pattern.Item.Length))
        {
            return true;
        }

        // A # may match no further word.
        for (var i = 0; i < patterns.Length; i++)
        {
            if (WordAt(i) == "#" && Exists(patterns, [.. positions.Select((position, j) => j == i ? position + 1 : position)], seen))
            {
                return true;
            }
        }

        return CanShareWord() && Exists(patterns, [.. positions.Select((position, i) => WordAt(i) == "#" ? position : position + 1)], seen);

        string? WordAt(int pattern) => positions[pattern] < patterns[pattern].Length ? patterns[pattern][positions[pattern]] : null;

        // True if one word matches the next word of all patterns.
        bool CanShareWord()
        {
            var words = Enumerable.Range(0, patterns.Length).Select(WordAt).ToList();
            return !words.Contains(null) && words.Where(word => word is not ("*" or "#")).Distinct(StringComparer.Ordinal).Count() <= 1;
        }
    }
}
