namespace EventBus.Stores;

/// <summary>An effect that a handler asked for failed in the commit's transaction.</summary>
public sealed class EffectException : EventBusException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="cause">What the effect threw.</param>
    public EffectException(Exception cause)
        : base("What the handler wanted done in the transaction of its event failed, and nothing was committed.", cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
    }
}
