namespace EventBus;

/// <summary>Creates contexts for tests of saga steps.</summary>
public static class TestSagaContext
{
    /// <summary>
    /// Creates a context to test a step in isolation. Events that the step publishes are collected in
    /// <see cref="SagaContext{TState}.Published"/> and not sent.
    /// </summary>
    /// <param name="state">The state.</param>
    /// <param name="options">The values that differ from the defaults; null for none.</param>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <exception cref="ArgumentOutOfRangeException">The attempt is less than 1.</exception>
    public static SagaContext<TState> Create<TState>(TState state, TestSagaContextOptions? options = null)
        where TState : notnull
    {
        options ??= new TestSagaContextOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Attempt, 1, nameof(options));
        var direction = options.IsCompensation ? SagaDirection.Compensate : SagaDirection.Execute;
        var call = new SagaCall(options.SagaId, options.Step, direction, options.Attempt, fencingToken: 1);
        return new SagaContext<TState>(call, state, options.Services);
    }
}
