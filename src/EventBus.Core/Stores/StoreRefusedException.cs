namespace EventBus.Stores;

/// <summary>A store refused a call, and certainly did nothing of it. <see cref="Scope"/> says what else is refused with it.</summary>
/// <remarks>
/// For stores that know. After any other exception the bus finds out by itself: it asks the store something unrelated, and where the store answers and still does not take the same write, the write is at fault. An
/// <see cref="InvalidOperationException"/>, because that is what a full store of delayed events or of sagas throws.
/// </remarks>
public sealed class StoreRefusedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="scope">What is refused.</param>
    /// <param name="message">What is wrong, and what to do about it. Names and ids only: it is logged, and shown by the health check.</param>
    /// <param name="cause">What the store's own client threw; null for none. It is logged.</param>
    public StoreRefusedException(StoreScope scope, string message, Exception? cause = null)
        : base(message, cause) => Scope = scope;

    /// <summary>What is refused: everything, or only a part.</summary>
    public StoreScope Scope { get; }
}

/// <summary>What a store refuses.</summary>
public enum StoreScope
{
    /// <summary>Every write: it is full, locked, read-only or loading. The bus takes no new events until the write succeeds.</summary>
    Store,

    /// <summary>What one subscription adds: there is no room for it. The bus takes no new events of that subscription until there is.</summary>
    Subscription,

    /// <summary>This entry: it cannot be written or read, however often that is tried. The bus makes it a dead letter, reduced to what can be written.</summary>
    Entry,
}
