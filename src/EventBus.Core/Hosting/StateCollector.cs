namespace EventBus;

/// <summary>
/// Reads the metrics of what the stores and the backend hold, in a loop of its own. A collector never waits. However
/// often it collects, the stores and the backend are asked at most every 10 s, and not at all without a listener.
/// </summary>
/// <param name="readers">One reader for each store, and one for the backend.</param>
/// <param name="services">Provides the clock.</param>
internal sealed class StateCollector(IReadOnlyList<StateReader> readers, BusServices services)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>Reads all values every 10 s. When it ends, nothing is reported.</summary>
    /// <param name="stop">Ends the loop.</param>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                // At the same time, so that one that does not answer holds back no other.
                await Task.WhenAll(readers.Select(reader => reader.ReadAsync(stop)));
                await Task.Delay(Period, services.Time, stop);
            }
        }
        finally
        {
            foreach (var reader in readers)
            {
                reader.Clear();
            }
        }
    }
}
