namespace EventBus;

/// <summary>
/// Represents an attempt of an event that was attempted before and never settled. Disposing it lets other redelivered
/// events begin.
/// </summary>
internal sealed class RedeliveredAttempt : IDisposable
{
    /// <summary>The turn within the subscription; null while there is none.</summary>
    public IDisposable? Turn { get; set; }

    /// <summary>The place among the redelivered events of the process; null while there is none.</summary>
    public RedeliveryRun? Run { get; set; }

    /// <summary>The number of attempts including this one, for the handler.</summary>
    public int Number { get; set; }

    /// <summary>The number of attempts including this one that count for the failure policy.</summary>
    public int Counted { get; set; }

    public void Dispose()
    {
        Run?.Dispose();
        Turn?.Dispose();
    }
}
