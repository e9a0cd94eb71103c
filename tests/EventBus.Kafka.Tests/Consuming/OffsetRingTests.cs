namespace EventBus.Kafka.Tests;

public sealed class OffsetRingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Complete_InRandomOrderWithGaps_MovesWatermarkToLastOfTheDonePrefix(int seed)
    {
        var random = new Random(seed);
        for (var run = 0; run < 50; run++)
        {
            var ring = new OffsetRing();
            var records = new List<(long Number, long Offset, int Epoch)>();
            var done = new HashSet<long>();
            var offset = 0L;
            var epoch = 0;
            for (var step = 0; step < 500; step++)
            {
                var open = records.Where(record => !done.Contains(record.Number)).ToArray();
                if (open.Length == 0 || random.Next(5) < 2)
                {
                    // The offsets of a compacted topic, and those after control records, have gaps.
                    offset += random.Next(1, 5);
                    epoch += random.Next(20) == 0 ? 1 : 0;
                    records.Add((ring.Add(offset, epoch, envelope: null), offset, epoch));
                }
                else
                {
                    var number = open[random.Next(Math.Min(open.Length, 40))].Number;
                    done.Add(number);
                    var before = ring.Watermark;
                    Assert.Equal(ring.Complete(number), before != ring.Watermark);
                }

                var prefix = records.TakeWhile(record => done.Contains(record.Number)).ToArray();
                RecordPosition? expected = prefix.Length == 0 ? null : new RecordPosition(prefix[^1].Offset + 1, prefix[^1].Epoch);
                Assert.Equal(expected, ring.Watermark);
                Assert.Equal(records.Count - prefix.Length, ring.Count);
            }
        }
    }

    [Fact]
    public void Add_MoreThanTheCapacityBehindAnOpenRecord_KeepsAll()
    {
        var ring = new OffsetRing();
        for (var i = 0; i < 10_000; i++)
        {
            ring.Add(i * 3, leaderEpoch: null, envelope: null);
        }

        for (var number = 9_999L; number > 0; number--)
        {
            Assert.False(ring.Complete(number));
        }

        Assert.Null(ring.Watermark);
        Assert.True(ring.Complete(0));
        Assert.Equal(new RecordPosition((9_999 * 3) + 1, null), ring.Watermark);
        Assert.Equal(0, ring.Count);
    }
}
