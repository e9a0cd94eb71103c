namespace EventBus.Benchmarks;

/// <summary>A saga whose steps do nothing.</summary>
internal sealed class IdleSaga : Saga<IdleState>
{
    public const int Steps = 10;

    public static Task DoNothingAsync() => Task.CompletedTask;

    // Internal too, because this assembly sees the internals of the library.
    protected internal override void Define(SagaBuilder<IdleState> saga)
    {
        for (var step = 1; step <= Steps; step++)
        {
            saga.Step($"step-{step}", (_, _) => DoNothingAsync(), (_, _) => DoNothingAsync());
        }
    }
}
