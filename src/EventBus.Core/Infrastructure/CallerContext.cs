namespace EventBus;

/// <summary>
/// Leaves the caller's synchronization context or task scheduler at the entry points of the bus, so that
/// <c>ConfigureAwait</c> is unnecessary everywhere else. Also distinguishes calls by handlers from calls by the rest of
/// the application.
/// </summary>
/// <remarks>
/// The context of a desktop application or a test runner runs every continuation on one thread. If a caller blocked
/// that thread, the bus would need it to continue, and both would wait indefinitely.
/// </remarks>
internal sealed class CallerContext
{
    private readonly AsyncLocal<bool> isHandler = new();

    /// <summary>
    /// The context in which continuations stay, for a program that runs step by step. Null in production.
    /// </summary>
    public SynchronizationContext? Home { get; init; }

    /// <summary>
    /// True if there is no foreign context to leave: an await continues in <see cref="Home"/> or on the thread pool.
    /// </summary>
    public bool IsOutside
    {
        get
        {
            var current = SynchronizationContext.Current;
            return current is null ? TaskScheduler.Current == TaskScheduler.Default : current == Home;
        }
    }

    /// <summary>True if the caller runs in a loop of the bus, for instance in a handler.</summary>
    public bool IsHandler => isHandler.Value;

    /// <summary>
    /// Leaves foreign contexts: the method that awaits the result continues outside of them. It stays on the caller's
    /// thread, so that calls keep their order.
    /// </summary>
    public ContextDeparture Leave() => new(IsOutside);

    /// <summary>Marks everything that the current method calls as called by a loop of the bus.</summary>
    public void MarkHandler() => isHandler.Value = true;
}
