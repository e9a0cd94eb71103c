using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Represents a guarantee of the library, and the run that tests it against a backend.</summary>
public sealed record Scenario
{
    internal Scenario(string name, string reason, Func<ScenarioRun, Task> run) => (Name, Reason, Run) = (name, reason, run);

    /// <summary>The name of the scenario in kebab case, stable across versions.</summary>
    public string Name { get; }

    /// <summary>The guarantee that the scenario tests, and why it matters to users, in one sentence.</summary>
    public string Reason { get; }

    /// <summary>
    /// True if the scenario affects every user of the server, so that no other scenario of the same
    /// <see cref="Backend"/> instance may run at the same time.
    /// </summary>
    public bool Exclusive { get; internal init; }

    internal Func<ScenarioRun, Task> Run { get; }

    internal Func<Backend, TransportFeatures, string?> RuledOut { get; init; } = (_, _) => null;

    /// <summary>Returns the name of the scenario.</summary>
    public override string ToString() => Name;
}
