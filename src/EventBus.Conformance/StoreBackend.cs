using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Stores under proof: what their author writes to run <see cref="StoreSuite"/>. Share one instance among all scenarios.</summary>
/// <remarks>Two members are needed: the name, and a way to make stores. The abilities are optional: each pair of a property and its methods lets more scenarios run.</remarks>
public abstract class StoreBackend
{
    private readonly RunGate gate = new();

    /// <summary>The name for people: the heading of the column in the table of guarantees.</summary>
    public abstract string Name { get; }

    /// <summary>Makes stores that are not opened. Where they are durable, those with the same isolation are instances on the same data, also one after the other; those with another never see one another's.</summary>
    /// <param name="isolation">Unique for each run of a scenario: 1 to 20 lower-case letters and digits. Use it as key prefix, file name or the like.</param>
    public abstract BusStores CreateStores(string isolation);

    /// <summary>Whether <see cref="CorruptAsync"/> and <see cref="CorruptSagaAsync"/> work, as far as there are such stores. Default false.</summary>
    public virtual bool CanCorrupt => false;

    /// <summary>Whether <see cref="BreakAsync"/> and <see cref="MendAsync"/> work. Default false.</summary>
    public virtual bool CanBreak => false;

    /// <summary>Writes garbage over the stored attributes of a failed event, as a broken disk or another program would. Its id, status and due time stay.</summary>
    /// <param name="isolation">The run's isolation.</param>
    /// <param name="id">The id of the entry (<see cref="FailedEvent.Id"/>).</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task CorruptAsync(string isolation, string id, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Writes garbage over what is stored of a saga beside its content, as a broken disk or another program would. Its id and version stay, and it is due, listed and found as before.</summary>
    /// <param name="isolation">The run's isolation.</param>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task CorruptSagaAsync(string isolation, string id, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Makes every write fail: stops the server, or locks the file. Completes once it is so.</summary>
    /// <param name="isolation">The run's isolation.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task BreakAsync(string isolation, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Undoes <see cref="BreakAsync"/>, on the same data. Completes once it is so.</summary>
    /// <param name="isolation">The run's isolation.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task MendAsync(string isolation, CancellationToken cancellationToken) => throw new NotSupportedException();

    internal RunGate Gate => gate;
}
