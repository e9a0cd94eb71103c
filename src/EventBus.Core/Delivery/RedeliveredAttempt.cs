namespace EventBus;

/// <summary>
/// Represents an attempt of an event that was attempted before and never settled. Disposing it lets other redelivered
/// events begin.
/// </summary>
internal sealed class RedeliveredAttempt : IDisposable
{
    /// <summary>The turn of the event within its subscription; null while it has none.</summary>
    public IDisposable? Turn { get; set; }

    /// <summary>The registration of the attempt at the coordinator of the bus; null while it has none.</summary>
    public RedeliveryRun? Run { get; set; }

    /// <summary>The number of attempts including this one, as the handler sees it.</summary>
    public int Number { get; set; }

    /// <summary>
    /// The number of attempts including this one that use up the allowed retries, if this attempt does not end the
    /// process.
    /// </summary>
    public int ChargedAttempts { get; set; }

    public void Dispose()
    {
        Run?.Dispose();
        Turn?.Dispose();
    }
}
