namespace EventBus;

/// <summary>The values of a saga context for a test (<see cref="TestSagaContext"/>).</summary>
public sealed class TestSagaContextOptions
{
    /// <summary>The saga's id. Default <c>test-saga</c>.</summary>
    public string SagaId { get; init; } = "test-saga";

    /// <summary>The step's name. Default <c>test</c>.</summary>
    public string Step { get; init; } = "test";

    /// <summary>True if the step is being compensated. Default false.</summary>
    public bool IsCompensation { get; init; }

    /// <summary>The number of the attempt, 1 or more. Default 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>
    /// The value of <see cref="SagaContext{TState}.Services"/>. Default none: reading the property is then an error.
    /// </summary>
    public IServiceProvider? Services { get; init; }
}
