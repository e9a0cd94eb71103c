namespace EventBus.Proof;

/// <summary>
/// One promise under proof: what the processes that are killed do, and what the harness does round them.
/// </summary>
internal abstract class Proof
{
    /// <summary>The name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>The stores that it is run with.</summary>
    public virtual IReadOnlyList<string> Stores => ["sqlite", "redis"];

    /// <summary>The transports that it is run with.</summary>
    public virtual IReadOnlyList<string> Transports => ["redis"];

    /// <summary>Returns true if the transport and the store can be combined. Default true.</summary>
    public virtual bool Joins(string transport, string store) => true;

    /// <summary>
    /// Returns true if the short form omits a transport and a store unless they are requested. Default false.
    /// </summary>
    public virtual bool IsForFullRuns(string transport, string store) => false;

    /// <summary>True if the proof measures time, and so runs alone.</summary>
    public virtual bool RunsAlone => false;

    /// <summary>Subscribes what a victim handles.</summary>
    public virtual void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
    }

    public abstract Task RunAsync(Stage stage, Findings findings);
}
