namespace EventBus.Stores;

/// <summary>The exception that is thrown when an effect that a handler registered fails in the transaction.</summary>
public sealed class EffectException : EventBusException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="cause">The exception that the effect threw.</param>
    public EffectException(Exception cause)
        : base("An effect that the handler added to the transaction of its event failed, and nothing was committed.", cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
    }
}
