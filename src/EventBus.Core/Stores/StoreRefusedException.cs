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
