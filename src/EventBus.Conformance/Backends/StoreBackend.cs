using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Represents stores to test. The author of stores derives from it to run <see cref="StoreSuite"/>. Share one instance
/// among all scenarios.
/// </summary>
/// <remarks>
/// Two members are required: the name, and a method that creates stores. The others are optional: each <c>Can</c>
/// property that returns true enables more scenarios, which call the methods that the property names.
/// </remarks>
public abstract class StoreBackend
{
    /// <summary>
    /// The name of the application (<see cref="StoreSetup.ServiceName"/>) for which the suite opens stores, unless a
    /// scenario needs a second application: <c>conformance</c>.
    /// </summary>
    public const string ServiceName = "conformance";

    /// <summary>The display name: the heading of the stores' column in the table of guarantees.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Creates stores that are not opened. If they are durable, stores with the same isolation use the same data,
    /// whether they are open at the same time or one after the other. Stores with different isolations never see each
    /// other's data.
    /// </summary>
    /// <param name="isolation">
    /// Unique for each run of a scenario: 1 to 20 lower-case letters and digits. Use it as a key prefix, a file name or
    /// similar.
    /// </param>
    public abstract BusStores CreateStores(string isolation);

    /// <summary>
    /// True if the backend supports <see cref="CorruptAsync"/> and <see cref="CorruptSagaAsync"/> for the stores that
    /// it has. Default false.
    /// </summary>
    public virtual bool CanCorrupt => false;

    /// <summary>
    /// True if the backend supports <see cref="BreakAsync"/> and <see cref="RepairAsync"/>. Default false.
    /// </summary>
    public virtual bool CanBreak => false;

    /// <summary>
    /// Overwrites the stored attributes of a failed event with invalid data, as a disk failure or another program
    /// could. Its id, status and due time do not change.
    /// </summary>
    /// <param name="isolation">The isolation of the run.</param>
    /// <param name="id">The id of the entry (<see cref="FailedEvent.Id"/>).</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task CorruptAsync(string isolation, string id, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>
    /// Makes the entry of a saga unreadable, as a disk failure or another program could. Its content
    /// (<see cref="SagaEntry.Content"/>), id, version and due time do not change: it is still due, listed and found.
    /// </summary>
    /// <param name="isolation">The isolation of the run.</param>
    /// <param name="id">The id of the saga.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task CorruptSagaAsync(string isolation, string id, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Makes every write fail: stops the server, or locks the file. Completes when writes fail.</summary>
    /// <param name="isolation">The isolation of the run.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task BreakAsync(string isolation, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Reverts <see cref="BreakAsync"/>, with the same data. Completes when writes succeed again.</summary>
    /// <param name="isolation">The isolation of the run.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task RepairAsync(string isolation, CancellationToken cancellationToken) => throw new NotSupportedException();

    internal RunGate Gate { get; } = new();
}
