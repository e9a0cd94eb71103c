using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>One promise, and the run that proves it against a backend.</summary>
public sealed record Scenario
{
    internal Scenario(string name, string reason, Func<ScenarioRun, Task> run) => (Name, Reason, Run) = (name, reason, run);

    /// <summary>The scenario's name in kebab case, stable across versions.</summary>
    public string Name { get; }

    /// <summary>Which promise it proves, and why users care: one sentence.</summary>
    public string Reason { get; }

    /// <summary>It disturbs everybody on the server, so no other scenario of the same <see cref="Backend"/> instance runs beside it.</summary>
    public bool Exclusive { get; internal init; }

    internal Func<ScenarioRun, Task> Run { get; }

    internal Func<Backend, TransportFeatures, string?> RuledOut { get; init; } = (_, _) => null;

    /// <summary>The scenario's name.</summary>
    public override string ToString() => Name;
}
