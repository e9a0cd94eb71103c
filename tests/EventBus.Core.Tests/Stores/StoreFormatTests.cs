using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

public sealed class StoreFormatTests
{
    private static Envelope[] Events =>
    [
        new(new EnvelopeAttributes { Id = "1", Name = "order.placed", Key = "o-1" }, "{}"u8.ToArray()),
        new(new EnvelopeAttributes { Id = "2", Name = "order.paid", Headers = new Dictionary<string, string> { ["tenant"] = "blue" } }, []),
    ];

    [Fact]
    public void Outbox_WrittenAndRead_IsTheSame()
    {
        var read = StoreFormat.ReadOutbox(StoreFormat.WriteOutbox(Events), "owner");

        Assert.Equal(
            ["1 order.placed o-1 {}", "2 order.paid  "],
            read.Select(e => $"{e.Id} {e.Name} {e.Key} {System.Text.Encoding.UTF8.GetString(e.Body.Span)}"));
        Assert.Equal("blue", read[1].Headers["tenant"]);
        Assert.All(read, envelope => Assert.Null(envelope.Defect));
    }

    [Fact]
    public void Outbox_WithoutEvents_IsEmpty()
    {
        Assert.Empty(StoreFormat.WriteOutbox([]));
        Assert.Empty(StoreFormat.ReadOutbox([], "owner"));
    }

    [Fact]
    public void Outbox_CutOffAnywhere_KeepsTheRestAsAPlaceholder()
    {
        var whole = StoreFormat.WriteOutbox(Events);
        var first = StoreFormat.WriteOutbox(Events[..1]).Length;
        for (var length = 1; length < whole.Length; length++)
        {
            var read = StoreFormat.ReadOutbox(whole.AsSpan(0, length), "owner");
            if (length == first)
            {
                Assert.Null(Assert.Single(read).Defect);
                continue;
            }

            var placeholder = read[^1];
            Assert.Equal(length < first ? 1 : 2, read.Count);
            Assert.Equal(($"owner/{read.Count - 1}", CloudEventAttributes.UnreadableType), (placeholder.Id, placeholder.Name));
            Assert.Equal("The stored event is cut off or was changed.", placeholder.Defect);
            Assert.Equal(length < first ? length : length - first, placeholder.Body.Length);
        }
    }

    [Fact]
    public void Outbox_WithLengthsOutOfRange_KeepsEverythingAsAPlaceholder()
    {
        byte[] tooLong = [255, 255, 255, 127, 1, 2], negative = [255, 255, 255, 255, 1, 2];

        Assert.Equal(6, Assert.Single(StoreFormat.ReadOutbox(tooLong, "owner")).Body.Length);
        Assert.Equal(6, Assert.Single(StoreFormat.ReadOutbox(negative, "owner")).Body.Length);
    }
}
