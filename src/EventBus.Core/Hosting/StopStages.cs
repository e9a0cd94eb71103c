namespace EventBus;

/// <summary>The stages of a stop, in their order. Each cancels a token.</summary>
internal sealed class StopStages
{
    /// <summary>First: no further retries and sagas are claimed.</summary>
    public CancellationTokenSource Claims { get; } = new();

    /// <summary>
    /// When the work in flight has ended, or the drain timeout has elapsed: remaining handlers and steps are cancelled.
    /// </summary>
    public CancellationTokenSource Handlers { get; } = new();

    /// <summary>Last: all loops end.</summary>
    public CancellationTokenSource Loops { get; } = new();
}
