namespace EventBus.Stores;

/// <summary>A failure store whose dead letters may not answer.</summary>
internal sealed class SilentFailureStore(KeyedFailureStore inner, Func<Task> answering) : DelegatingFailureStore(inner)
{
    public override DeadLetterStore DeadLetters { get; } = new SilentDeadLetterStore(inner.DeadLetters, answering);
}
