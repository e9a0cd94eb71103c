namespace EventBus.Proof;

/// <summary>
/// The test of one promise: the behavior of the processes that are killed, and of the harness around them.
/// </summary>
internal abstract class Proof
{
    /// <summary>The name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>The stores with which the proof runs.</summary>
    public virtual IReadOnlyList<string> Stores => ["sqlite", "redis"];

    /// <summary>The transports with which the proof runs.</summary>
    public virtual IReadOnlyList<string> Transports => ["redis"];

    /// <summary>Returns true if the transport and the store can be combined. Default true.</summary>
    public virtual bool Joins(string transport, string store) => true;

    /// <summary>
    /// Returns true if the quick run omits a combination of transport and store unless it is requested. Default false.
    /// </summary>
    public virtual bool IsForFullRuns(string transport, string store) => false;

    /// <summary>True if the proof measures time, and so runs alone.</summary>
    public virtual bool RunsAlone => false;

    /// <summary>Configures the subscriptions of a victim.</summary>
    public virtual void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
    }

    public abstract Task RunAsync(Stage stage, Findings findings);
}
