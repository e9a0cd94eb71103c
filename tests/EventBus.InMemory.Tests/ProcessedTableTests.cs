using System.Runtime.InteropServices;
using EventBus.Stores;

namespace EventBus;

/// <summary>Tests the table of handled events in memory.</summary>
public sealed class ProcessedTableTests
{
    private readonly ProcessedTable table = new();

    /// <summary>
    /// Adds, removes and adds again more keys than one segment and many times the number of buckets, as UUIDs and as
    /// texts: exactly the added keys are found.
    /// </summary>
    [Fact]
    public void Keys_AddedAndRemoved_AreFound()
    {
        var random = new Random(7);
        var model = new Dictionary<string, long>();
        ProcessedKey[] keys = [.. Enumerable.Range(0, 6_000).Select(i => i % 3 == 0
            ? new ProcessedKey("mail", $"order-{i}")
            : new ProcessedKey("mail", i % 3 == 1 ? Numbered(i) : Random(random)))];
        for (var step = 1; step <= 40_000; step++)
        {
            var key = keys[random.Next(keys.Length)];
            if (model.Remove(key.Key))
            {
                table.Remove(table.Find(key));
            }
            else
            {
                Assert.True(table.TryAdd(key, out var index));
                table[index].FencingToken = model[key.Key] = step;
                Assert.False(table.TryAdd(key, out var again));
                Assert.Equal(index, again);
            }
        }

        Assert.Equal(model.Count, table.Count);
        Assert.All(
            keys,
            key => Assert.Equal(
                model.GetValueOrDefault(key.Key, -1),
                table.Find(key) is >= 0 and var index ? table[index].FencingToken : -1));
        Assert.Equal(model.Count, table.Claimed().Count());
    }

    /// <summary>
    /// First uses ids whose last bytes map to one bucket, then ids whose four parts cancel each other out, so that the
    /// hash of a Guid is the same for all.
    /// </summary>
    [Fact]
    public void Keys_ChosenToCollide_AreSpread()
    {
        ProcessedKey[] keys = [
            .. Enumerable.Range(1, 1_000).Select(i => new ProcessedKey("mail", Numbered(i << 16))),
            .. Enumerable.Range(1, 20_000).Select(i => new ProcessedKey("mail", Cancelling(i)))
        ];
        foreach (var key in keys)
        {
            Assert.True(table.TryAdd(key, out var index));
            table[index].FencingToken = 1;
        }

        Assert.InRange(table.MostInBucket, 1, 101);
        Assert.All(keys, key => Assert.True(table.Find(key) >= 0));
        Assert.True(table.Find(new ProcessedKey("mail", Cancelling(20_001))) < 0);
    }

    /// <summary>
    /// Keys are added, completed out of order and removed concurrently: each is removed when it expires, and none is
    /// lost.
    /// </summary>
    [Fact]
    public void Keys_DoneAndRemovedInBetween_AreRemovedWhenTheyExpire()
    {
        var random = new Random(11);
        var model = new List<long>();
        for (var step = 0; step < 20_000; step++)
        {
            if (model.Count == 0 || random.Next(100) < 55)
            {
                Assert.True(table.TryAdd(new ProcessedKey("mail", Numbered(step)), out var index));
                table[index].FencingToken = step + 1;
                table[index].SetDone(step + random.Next(50));
                model.Add(table[index].Until);
                table.LetExpire(index);
            }
            else
            {
                Assert.Equal(model.Min(), table[table.FirstToExpire].Until);
                model.Remove(model.Min());
                table.RemoveFirstToExpire();
            }

            Assert.Equal(model.Count, table.Count);
        }
    }

    [Fact]
    public void LetExpire_OutOfOrder_IsRemovedWhenItExpires()
    {
        long[] ends = [5, 9, 7, 1, 9, 3];
        foreach (var (end, i) in ends.Select((end, i) => (end, i)))
        {
            Assert.True(table.TryAdd(new ProcessedKey("mail", $"{i}"), out var index));
            table[index].FencingToken = i + 1;
            table[index].SetDone(end);
            table.LetExpire(index);
        }

        var removed = new List<long>();
        while (table.FirstToExpire >= 0)
        {
            removed.Add(table[table.FirstToExpire].Until);
            table.RemoveFirstToExpire();
        }

        Assert.Equal(ends.Order(), removed);
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void Key_OfAUuid_EqualsOnlyItsText()
    {
        var id = Guid.Parse("01a223f2-f057-71f4-87a9-9d66c724bd59");

        Assert.Equal(new ProcessedKey("mail", id), new ProcessedKey("mail", $"{id:D}"));
        Assert.Equal(new ProcessedKey("mail", id).GetHashCode(), new ProcessedKey("mail", $"{id:D}").GetHashCode());
        Assert.NotEqual(new ProcessedKey("mail", id), new ProcessedKey("stock", id));
        foreach (var other in new[] { $"{id:D}".ToUpperInvariant(), $"{id:N}", $"{{{id:D}}}", "+1a223f2-f057-71f4-87a9-9d66c724bd59" })
        {
            Assert.NotEqual(new ProcessedKey("mail", id), new ProcessedKey("mail", other));
            Assert.Equal(other, new ProcessedKey("mail", other).Key);
        }
    }

    private static Guid Numbered(int number) => new(
        0x01a223f2,
        -4009,
        0x71f4,
        0x87,
        0xa9,
        0x9d,
        0x66,
        (byte)(number >> 24),
        (byte)(number >> 16),
        (byte)(number >> 8),
        (byte)number);

    private static Guid Cancelling(int number)
    {
        var parts = new int[] { number, number, 0x7123_4567, 0x0123_4567 };
        return new Guid(MemoryMarshal.AsBytes(parts.AsSpan()));
    }

    private static Guid Random(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes);
    }
}
