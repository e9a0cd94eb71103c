namespace EventBus.Proof;

/// <summary>Lists all proofs. The longest ones come first, because several run in parallel.</summary>
internal static class Catalogue
{
    public static IReadOnlyList<Proof> All { get; } =
    [
        new CheckerProof(),
        new UnconfirmedEventsProof(),
        new SagasProof(),
        new PoisonProof(),
        new NeighboursProof(),
        new DuplicatesProof(processes: 1),
        new DuplicatesProof(processes: 3),
        new OrderProof(sequenced: false),
        new OrderProof(sequenced: true),
        new ConsumersKilledProof(),
        new BrokerKilledProof(),
        new MixedFaultsProof(),
        new FailoverProof(),
        new CurvesProof(),
        new FuzzProof(),
    ];

    public static Proof Find(string name) =>
        All.FirstOrDefault(proof => proof.Name == name) ?? throw new ProofException($"There is no proof '{name}'.");
}
