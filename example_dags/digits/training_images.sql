SELECT image_id, split, label, pixels
FROM digits
WHERE label IN ({{ params.labels | join(', ') }})
ORDER BY image_id
