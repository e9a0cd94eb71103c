namespace EventBus;

/// <summary>Collects the steps of a saga, in their order. Errors are reported when the bus starts.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed class SagaBuilder<TState>
    where TState : notnull
{
    internal SagaBuilder()
    {
    }

    internal List<SagaStepBuilder<TState>> Steps { get; } = [];

    /// <summary>Adds a step with a compensation.</summary>
    /// <remarks>
    /// The compensation runs for a step that was executed, and for a step that failed but may have had an effect. It
    /// must accept a step that never ran.
    /// </remarks>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    /// <param name="compensate">Undoes the effects of the step.</param>
    public SagaStepBuilder<TState> Step(
        string name,
        Func<SagaContext<TState>, CancellationToken, Task> execute,
        Func<SagaContext<TState>, CancellationToken, Task> compensate)
    {
        ArgumentNullException.ThrowIfNull(compensate);
        return Add(name, execute, compensate, isPivot: false);
    }

    /// <summary>
    /// Adds a step without a compensation: one that only reads, or sends information that need not be withdrawn.
    /// </summary>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    public SagaStepBuilder<TState> Step(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) =>
        Add(name, execute, null, isPivot: false);

    /// <summary>
    /// Adds the step that cannot be undone. After it is executed, the saga only moves forward: if a later step keeps
    /// failing, the saga needs attention, and nothing is compensated.
    /// </summary>
    /// <remarks>
    /// If the pivot is known to have had no effect (<see cref="SagaStepBuilder{TState}.RejectedBy{TException}"/>), the
    /// steps before it are compensated. If it may have had an effect, the saga needs attention: an operator must find
    /// out. A saga has at most one pivot.
    /// </remarks>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    public SagaStepBuilder<TState> Pivot(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) =>
        Add(name, execute, null, isPivot: true);

    private SagaStepBuilder<TState> Add(
        string name,
        Func<SagaContext<TState>, CancellationToken, Task> execute,
        Func<SagaContext<TState>, CancellationToken, Task>? compensate,
        bool isPivot)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(execute);
        var step = new SagaStepBuilder<TState>(name, execute, compensate, isPivot);
        Steps.Add(step);
        return step;
    }
}
