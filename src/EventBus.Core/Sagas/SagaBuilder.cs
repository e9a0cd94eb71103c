namespace EventBus;

/// <summary>Takes the steps of a saga, in their order. Mistakes are reported when the bus starts.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed class SagaBuilder<TState>
    where TState : notnull
{
    internal SagaBuilder()
    {
    }

    internal List<SagaStepBuilder<TState>> Steps { get; } = [];

    /// <summary>Adds a step and how it is undone.</summary>
    /// <remarks>The compensation runs for a step that was executed, and for one that failed and may have had an effect all the same: it must accept a step that never ran.</remarks>
    /// <param name="name">The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.</param>
    /// <param name="execute">What it does.</param>
    /// <param name="compensate">How that is undone.</param>
    public SagaStepBuilder<TState> Step(string name, Func<SagaContext<TState>, CancellationToken, Task> execute, Func<SagaContext<TState>, CancellationToken, Task> compensate)
    {
        ArgumentNullException.ThrowIfNull(compensate);
        return Add(name, execute, compensate, isPivot: false);
    }

    /// <summary>Adds a step with nothing to undo: one that looks something up, or tells somebody something that need not be taken back.</summary>
    /// <param name="name">The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.</param>
    /// <param name="execute">What it does.</param>
    public SagaStepBuilder<TState> Step(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) => Add(name, execute, null, isPivot: false);

    /// <summary>Adds the step that cannot be undone: once it is executed, the saga only goes forward. A later step that keeps failing makes it need attention; nothing is compensated any more.</summary>
    /// <remarks>If the step itself fails for certain (<see cref="SagaStepBuilder{TState}.RejectedBy{TException}"/>), what came before it is undone. If it may have had its effect, the saga needs attention: only people can find out. A saga has one at most.</remarks>
    /// <param name="name">The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.</param>
    /// <param name="execute">What it does.</param>
    public SagaStepBuilder<TState> Pivot(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) => Add(name, execute, null, isPivot: true);

    private SagaStepBuilder<TState> Add(string name, Func<SagaContext<TState>, CancellationToken, Task> execute, Func<SagaContext<TState>, CancellationToken, Task>? compensate, bool isPivot)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(execute);
        var step = new SagaStepBuilder<TState>(name, execute, compensate, isPivot);
        Steps.Add(step);
        return step;
    }
}
