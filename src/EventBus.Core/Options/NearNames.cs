namespace EventBus;

/// <summary>Finds the names that a misspelt name may stand for.</summary>
internal static class NearNames
{
    /// <summary>
    /// Returns the names that differ from the given one in at most a third of its characters, the nearest first. Case
    /// does not matter; two swapped neighbours count as one difference.
    /// </summary>
    public static IEnumerable<string> Of(string name, IEnumerable<string> names) => names
        .Select(each => (Name: each, Distance: Distance(name.ToUpperInvariant(), each.ToUpperInvariant())))
        .Where(each => each.Distance <= Math.Max(1, name.Length / 3))
        .OrderBy(each => each.Distance)
        .Select(each => each.Name);

    /// <summary>
    /// Counts the insertions, deletions, replacements and swaps that lead from one text to the other.
    /// </summary>
    private static int Distance(string from, string to)
    {
        var distances = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                distances[i, j] = i == 0 || j == 0
                    ? i + j
                    : Math.Min(
                        Math.Min(distances[i - 1, j], distances[i, j - 1]) + 1,
                        distances[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    distances[i, j] = Math.Min(distances[i, j], distances[i - 2, j - 2] + 1);
                }
            }
        }

        return distances[from.Length, to.Length];
    }
}
