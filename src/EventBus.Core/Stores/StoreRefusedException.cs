namespace EventBus.Stores;

/// <summary>
/// The exception that is thrown when a store refuses a call and has certainly changed nothing. <see cref="Scope"/> says
/// what else the store refuses.
/// </summary>
/// <remarks>
/// Thrown by stores that know the scope. After any other exception the bus determines the scope: it makes an unrelated
/// call, and if the store answers but still refuses the same write, the write is at fault. Derives from
/// <see cref="InvalidOperationException"/>, the exception for what a store certainly did not accept
/// (<see cref="DelayStore.AddAsync"/>, <see cref="SagaStore.CreateAsync"/>).
/// </remarks>
public sealed class StoreRefusedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="scope">The scope of the refusal.</param>
    /// <param name="message">
    /// The problem and its solution. It must contain only names and ids, because it is logged and shown by the health
    /// check.
    /// </param>
    /// <param name="cause">The exception of the store's client; null for none. It is logged.</param>
    public StoreRefusedException(StoreScope scope, string message, Exception? cause = null)
        : base(message, cause) => Scope = scope;

    /// <summary>The scope of the refusal: everything, or only a part.</summary>
    public StoreScope Scope { get; }
}
