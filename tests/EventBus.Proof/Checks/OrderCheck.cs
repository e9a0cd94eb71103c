namespace EventBus.Proof;

/// <summary>
/// Checks that the events of each key are handled one at a time, and none before all earlier ones were handled.
/// </summary>
internal static class OrderCheck
{
    /// <param name="findings">Receives the findings.</param>
    /// <param name="entries">The entries of the handlers: the key, then the number within the key, from 1.</param>
    /// <param name="keys">The number of keys.</param>
    /// <param name="length">The number of events of each key.</param>
    /// <param name="mayRepeat">
    /// True if a process may restart a key at an earlier event, because unacknowledged events are redelivered in order.
    /// </param>
    public static void Run(Findings findings, IReadOnlyList<Entry> entries, int keys, int length, bool mayRepeat)
    {
        var states = Enumerable.Range(0, keys).Select(_ => new KeyState()).ToArray();
        var violations = new List<string>();
        var (starts, ends, throws) = (0L, 0L, 0L);
        foreach (var entry in entries.Where(entry => entry.Kind is Kind.Start or Kind.End or Kind.Throw).OrderBy(entry => entry.At))
        {
            switch (entry.Kind)
            {
                case Kind.Start:
                    starts++;
                    if (states[entry.A].Start(entry, mayRepeat) is { } violation)
                    {
                        violations.Add($"key {entry.A} {violation}");
                    }

                    break;
                case Kind.End:
                    ends++;
                    states[entry.A].End(entry, true);
                    break;
                default:
                    throws++;
                    states[entry.A].End(entry, false);
                    break;
            }
        }

        findings.Note("handled", states.Sum(state => state.Done));
        findings.Note("failed attempts", throws);
        findings.Note("duplicate deliveries", ends - states.Sum(state => state.Done));
        findings.None("order violations", violations);
        findings.None(
            "stuck keys",
            Enumerable.Range(0, keys).Where(key => states[key].Done < length).Select(key => $"{key} after {states[key].Done}"));
    }

    private sealed class KeyState
    {
        private readonly Dictionary<int, long> running = [];

        // The process to which the events are delivered. A retry may run in any process, because the store is shared.
        private int owner = -1;
        private long started;

        /// <summary>The highest number up to which all were handled.</summary>
        public long Done { get; private set; }

        public string? Start(Entry entry, bool mayRepeat)
        {
            var found = entry.B > Done + 1 ? $"started {entry.B} before {Done + 1} was handled"
                : running.TryGetValue(entry.Process, out var other) ? $"started {entry.B} during {other}"
                : entry.B < started && !(mayRepeat && entry.Process != owner) ? $"started {entry.B} after {started}"
                : null;
            running[entry.Process] = entry.B;
            var isRetry = entry.C > 1 && entry.B >= started;
            (owner, started) = (isRetry ? owner : entry.Process, entry.B);
            return found;
        }

        public void End(Entry entry, bool handled)
        {
            running.Remove(entry.Process);
            if (handled && entry.B == Done + 1)
            {
                Done++;
            }
        }
    }
}
